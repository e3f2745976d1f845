"""The style of a run's page: that of all reports, and the colours of its pictures."""

from ...evaluation.report_style import STYLE as _REPORTS

STYLE = (
    _REPORTS
    + """
svg { display: block; width: 100%; min-width: 640px; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: var(--text); }
svg text.soft { fill: var(--soft); }
svg .grid { stroke: var(--line); }
svg .bound { stroke: var(--warn); stroke-dasharray: 5 4; }
svg .front { fill: none; stroke: var(--ours); stroke-width: 1.8; }
svg .ring { fill: none; stroke: var(--warn); stroke-width: 2; }
svg .mark { stroke: var(--card); stroke-width: 1.5; }
svg .p1, .key.p1 { fill: var(--s1); background: var(--s1); }
svg .p2, .key.p2 { fill: var(--s5); background: var(--s5); }
svg .p3, .key.p3 { fill: var(--s2); background: var(--s2); }
svg .mark.hollow { fill-opacity: 0.12; stroke-width: 1.6; }
svg .p1.hollow { stroke: var(--s1); }
svg .p2.hollow { stroke: var(--s5); }
svg .p3.hollow { stroke: var(--s2); }
td.words { min-width: 15rem; overflow-wrap: anywhere; }
td.bad { color: var(--warn); }
"""
)

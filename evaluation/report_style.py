"""The style sheet of a report: light and dark, nothing from outside the page."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #f4f6f9; --card: #ffffff; --text: #1c2430; --soft: #5a6675; --line: #dde3ea;
  --ours: #0b7a6b; --ours-wash: #e6f4f1; --warn: #a04500;
  --s1: #0b7a6b; --s2: #3b5bdb; --s3: #b4500f; --s4: #6b7684; --s5: #9c36b5;
}
@media (prefers-color-scheme: dark) {
  :root {
    --page: #0e1217; --card: #161b22; --text: #dbe2ea; --soft: #98a4b3; --line: #2b333e;
    --ours: #3ddbc0; --ours-wash: #12312d; --warn: #ffb37a;
    --s1: #3ddbc0; --s2: #8ea6ff; --s3: #ffa25c; --s4: #8b97a6; --s5: #dd9bf0;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--page); color: var(--text);
  font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
}
main { max-width: 1240px; margin: 0 auto; padding: 32px 24px 64px; }
h1 { margin: 0 0 4px; font-size: 30px; letter-spacing: -0.01em; }
h2 { margin: 0 0 12px; font-size: 19px; }
h3 { margin: 20px 0 8px; font-size: 15px; }
p { margin: 0 0 10px; max-width: 78ch; }
.soft { color: var(--soft); }
section {
  background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 20px 22px; margin-top: 18px;
}
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(170px, 1fr)); gap: 12px;
  margin-top: 20px; }
.tile { background: var(--card); border: 1px solid var(--line); border-radius: 10px;
  padding: 14px 16px; }
.tile b { display: block; font-size: 25px; line-height: 1.2; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: 13px; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
th, td { padding: 7px 12px 7px 0; text-align: left; border-bottom: 1px solid var(--line);
  vertical-align: top; }
th { color: var(--soft); font-weight: 600; font-size: 13px; white-space: nowrap; }
td.n, th.n { text-align: right; white-space: nowrap; }
td.n + td:not(.n), th.n + th:not(.n) { padding-left: 16px; }
tbody tr:last-child td { border-bottom: 0; }
tr.ours td { background: var(--ours-wash); font-weight: 600; }
tr.ours td:first-child { padding-left: 10px; }
tr.group td { color: var(--soft); font-size: 13px; padding-top: 16px; }
td small { display: block; color: var(--soft); font-weight: 400; }
img { max-width: 100%; height: auto; display: block; border-radius: 6px; }
img.exact { max-width: none; }
picture.wide img { min-width: 760px; }
.side { display: grid; grid-auto-flow: column; grid-auto-columns: max-content; gap: 12px; }
.side.whole { grid-auto-columns: minmax(280px, 1fr); }
figure { margin: 0; }
figcaption { color: var(--soft); font-size: 13px; padding: 4px 0 10px; }
.timeline { display: flex; height: 22px; border-radius: 6px; overflow: hidden; gap: 2px;
  margin: 4px 0 10px; }
.timeline i { display: block; min-width: 3px; }
.key { display: inline-block; width: 10px; height: 10px; border-radius: 3px; margin-right: 6px; }
.c1 { background: var(--s1); } .c2 { background: var(--s2); } .c3 { background: var(--s3); }
.c4 { background: var(--s4); } .c5 { background: var(--s5); }
.latency { display: grid; grid-template-columns: max-content 1fr; gap: 10px 16px;
  align-items: center; margin: 14px 0; }
.track { position: relative; height: 16px; background: var(--page); border-radius: 8px; }
.track i { position: absolute; top: 0; bottom: 0; border-radius: 8px; min-width: 3px; }
.track b { position: absolute; top: -3px; bottom: -3px; width: 2px; background: var(--text); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 4px 18px; margin: 0; }
dt { color: var(--soft); } dd { margin: 0; overflow-wrap: anywhere; }
pre { overflow-x: auto; background: var(--page); border: 1px solid var(--line);
  border-radius: 6px; padding: 12px 14px; font: 13px/1.55 ui-monospace, Menlo, monospace; }
.notes li { color: var(--warn); }
@media (max-width: 640px) {
  main { padding: 20px 12px 40px; }
  section { padding: 16px 14px; }
  dl, .latency { grid-template-columns: 1fr; }
  dd { margin-bottom: 8px; }
}
@media print { section, .tile { break-inside: avoid; } body { background: #fff; } }
"""

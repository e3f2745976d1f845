"""The fit behind the predictions: public latencies in, the shipped parameters and a report out.

    python -m edgecodec.profiles.fitting DATA --parameters profiles/parameters --report report.md

Nothing else imports this package. The data stay where they are: only parameters and errors ship.
"""

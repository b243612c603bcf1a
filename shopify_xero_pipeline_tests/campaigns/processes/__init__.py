"""Loads by real processes on one store, killed and stopped while they write to a Xero over a real socket.

`command.py` is the campaign's command, `campaign.py` its rounds, `killer.py` the kills and pauses. A worker is in
`worker.py`, the sandbox's Xero in `server.py`, the records and their comparison in `workload.py` and `verdict.py`. All
share the clock of `scaled.py` and the memory of `board.py`.
"""

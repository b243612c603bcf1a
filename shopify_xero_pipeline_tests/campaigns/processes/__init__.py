"""Loads by real processes on one store, killed and stopped while they write to a Xero behind a real socket.

`command.py` is the campaign's command, `campaign.py` its rounds, `killer.py` what is done to the workers. A worker is
in `worker.py`, the sandbox's Xero in `server.py`, what is loaded and compared in `workload.py` and `verdict.py`. All
share the time of `scaled.py` and the memory of `board.py`.
"""

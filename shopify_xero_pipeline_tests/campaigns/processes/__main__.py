"""`python -m shopify_xero_pipeline_tests.campaigns.processes`: see `command.py`."""

from shopify_xero_pipeline_tests.campaigns.processes.command import main

if __name__ == "__main__":
    main()

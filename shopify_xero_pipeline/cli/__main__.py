"""`python -m shopify_xero_pipeline.cli`, as processes of ours start one another."""

from shopify_xero_pipeline.cli import main

if __name__ == "__main__":
    main()

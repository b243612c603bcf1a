"""`python -m shopify_xero_pipeline.cli`, which processes of this project start."""

from shopify_xero_pipeline.cli import main

if __name__ == "__main__":
    main()

"""What tests share: the staged sandbox, builders, hostile texts, a Postgres server. No test stands here."""

"""Alerts: rules over facts, notification of each channel, and delivery by Slack, e-mail and PagerDuty."""

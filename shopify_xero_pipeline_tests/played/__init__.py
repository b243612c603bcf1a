"""Small shops played through the commands: folders of recorded records, and what must stand in Xero afterwards."""

"""A run as one HTML page: charts and a table that need neither a network nor a server."""

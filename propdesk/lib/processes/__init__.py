"""The processes beside the web server: their heartbeats, the sweeper's jobs, and the health pages that watch both."""

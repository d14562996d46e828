"""The demo firm: the seeds' own data, so that a person or a script can start at once.

It lives in the topmost app because it is the only code that needs all of them at once.
"""

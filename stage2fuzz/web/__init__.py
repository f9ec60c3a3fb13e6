"""Web: what was found, as pages for people and as JSON for programs, from one database.

Pages are rendered here and work without a script; a script adds stepping by keyboard and live
figures. Nothing is loaded from elsewhere. ``serve`` is the door; ``app`` says which page is where.
"""

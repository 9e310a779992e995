"""What people and programs read: they render the view of a run, plans and tables, and decide nothing."""

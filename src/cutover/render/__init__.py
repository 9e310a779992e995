"""What people and programs read: views render a story, plans and tables, and decide nothing."""

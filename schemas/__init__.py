"""What flows and what is kept: the records, each column declared once, and the Arrow schemas that derive from them."""

"""How the tables came to be; a migration after the first adds tables and nullable columns only."""

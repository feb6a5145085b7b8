"""The database: SQLite in the data folder, or PostgreSQL by URL. Implements the stores that other rooms own as protocols."""

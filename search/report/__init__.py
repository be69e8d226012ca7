"""What a study found, for people: tables, figures and one self-contained HTML page."""

"""What a bundle tells its reader: report, pictures and model card."""

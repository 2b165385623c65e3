"""What every report is drawn with: a sheet of paper, and cells written for people."""

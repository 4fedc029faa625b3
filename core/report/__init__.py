"""Write HTML reports: self-contained, printable files that open in any browser.

table = Table(("Class", "FID"), [("MEL", Estimate(41.2, 38.0, 44.9, n=100))], "Distance to real images.")
sections = [Section("Closeness", ["The distances.", table])]
write_report(path, "Quality", ["No copy was found."], sections, provenance={"seed": 42})
"""

from core.report.content import Block, Cell, Estimate, Gallery, Picture, Section, Table
from core.report.writer import RESEARCH_USE, write_report

__all__ = ["RESEARCH_USE", "Block", "Cell", "Estimate", "Gallery", "Picture", "Section", "Table", "write_report"]

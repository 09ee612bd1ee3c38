"""What all figures share: style, showing a figure with its words, showing a table."""

from diffred_core.errors import needs

with needs("figures"):
    from diffred_core.drawing._show import png as png
    from diffred_core.drawing._show import show as show
    from diffred_core.drawing._table import show_table as show_table
    from diffred_core.drawing.speed import describe_speed as describe_speed
    from diffred_core.drawing.speed import plot_speed as plot_speed

"""The overview of the rooms, the widget, and two tabs."""

"""The panel's hardware, from one source: circuits as text in hardware/, solved, checked, and made into drawings and pages."""

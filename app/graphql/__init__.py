"""What clients see. Thin: it translates, the layers below decide."""

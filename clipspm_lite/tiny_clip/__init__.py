"""A real but tiny CLIP, trained on the base classes of the sample world; see MODEL_CARD.md."""

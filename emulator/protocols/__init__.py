"""Protocol models: physics in, joint distribution out; one file a scheme."""

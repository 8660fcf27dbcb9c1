# tests of src/control

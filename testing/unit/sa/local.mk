# tests of src/sa

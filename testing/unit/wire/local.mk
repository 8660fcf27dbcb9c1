# tests of src/wire

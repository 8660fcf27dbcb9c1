# tests of src/util

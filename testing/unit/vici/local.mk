# tests of src/vici

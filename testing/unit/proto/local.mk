# tests of src/proto

# tests of src/loop

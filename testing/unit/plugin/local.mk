# tests of src/plugin

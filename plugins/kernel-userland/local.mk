# filled by the plugin

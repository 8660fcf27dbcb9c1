# manual pages
dist_man_MANS += man/swanctl.8 man/swanctl.conf.5

# manual pages
dist_man_MANS += man/bewickd.8 man/bewick.conf.5 man/swanctl.8 man/swanctl.conf.5

/* The firmware is not there: no call of it does anything. */

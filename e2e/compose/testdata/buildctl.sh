#!/bin/sh
# Debian has no buildctl. Whether somebody listens is all that the health check asks for.
exec socat -u OPEN:/dev/null "UNIX-CONNECT:${2#unix://}"

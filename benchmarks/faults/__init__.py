"""Bad days on purpose: processes killed, disks full, connections cut, files damaged, and what is left afterwards."""

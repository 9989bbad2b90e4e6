complete -c tftpd -s w -l write -d 'Uploads: refused, under new names only, or replacing files too' -r -f -a "never\t''
create\t''
overwrite\t''"
complete -c tftpd -l upload-mode -d 'Permissions of uploaded files, such as 640. Without it: those of the file that is replaced, otherwise 644' -r
complete -c tftpd -l max-upload-size -d 'Largest upload that is taken, in bytes or with K, M, G, T (powers of 1024)' -r
complete -c tftpd -l min-free -d 'What uploads leave free on the disk' -r
complete -c tftpd -l client-root -d 'A folder beneath the root for each client, with {ip} or {ip_hex} in it, such as clients/{ip}. Where a client has one, names are looked for there first, and uploads go there' -r
complete -c tftpd -l map -d 'Rules that rewrite or refuse names: FILE.toml, or any other name for rules of tftp-hpa' -r -F
complete -c tftpd -l mail -d 'Accept mail: a message to USER is delivered into the Maildir DIR/USER, where that exists' -r -F
complete -c tftpd -s l -l listen -d 'Address to take requests on, repeatable: v4:port, [v6]:port, or without a port (69)' -r
complete -c tftpd -l ports -d 'Transfer ports, handed out in turn' -r
complete -c tftpd -l workers -d 'Poll loops, each on a thread of its own [default: number of cores]' -r
complete -c tftpd -l busy-poll -d 'Poll that long before sleeping while transfers are active: faster, for a processor\'s time' -r
complete -c tftpd -l max-blksize -d 'Largest block size granted, 8 to 65464' -r
complete -c tftpd -l max-windowsize -d 'Largest window granted, 1 to 32767' -r
complete -c tftpd -l refuse -d 'Never negotiate this option, repeatable' -r
complete -c tftpd -l offer -d 'Negotiate this option too, repeatable: utimeout, blksize2, rollover, msftwindow' -r
complete -c tftpd -l timeout -d 'Ceiling of the measured time-out, in seconds' -r
complete -c tftpd -l retries -d 'Retransmissions that count before a silent client is given up' -r
complete -c tftpd -l max-transfers -d 'Transfers at a time [default: as many as ports and descriptors allow]' -r
complete -c tftpd -l max-transfers-per-client -d 'Transfers of one address at a time [default: any]' -r
complete -c tftpd -l max-half-open -d 'Transfers at a time whose clients have answered nothing yet; beyond it the oldest of them gives way [default: 3/4 of all]' -r
complete -c tftpd -l allow -d 'Networks that may ask, repeatable; what comes from others is dropped unseen [default: all]' -r
complete -c tftpd -l deny -d 'Networks that may not ask, repeatable; wins over --allow' -r
complete -c tftpd -s u -l user -d 'Become this user once the sockets are bound, for good: a name or a number' -r
complete -c tftpd -s g -l group -d 'Become a member of this group instead of the user\'s own' -r
complete -c tftpd -l log-format -d 'Lines for people, or one JSON object a line for machines' -r -f -a "text\t''
json\t''"
complete -c tftpd -l log-file -d 'Append to this file, which HUP opens anew [default: standard error]' -r -F
complete -c tftpd -l config -d 'Read options from this file too: TOML, with the names of the command line, which wins' -r -F
complete -c tftpd -l as -d 'With --check: say step by step how this request of that client would be decided, such as --as 192.0.2.7 \'RRQ pxelinux.0 octet blksize=1428\'; the exit status tells the outcome' -r
complete -c tftpd -l pid-file -d 'Write the process id there, and keep it locked' -r -F
complete -c tftpd -l metrics -d 'Serve metrics for Prometheus there: HTTP, at /metrics' -r
complete -c tftpd -l grace -d 'After TERM or INT: how long running transfers may go on, in seconds' -r
complete -c tftpd -l ignore-case -d 'Where a name does not exist as it was asked for, take one in another case'
complete -c tftpd -l single-port -d 'Answer every transfer from the listening port, for NAT and load balancers'
complete -c tftpd -l broadcast -d 'Also answer requests that were sent to a broadcast or multicast address'
complete -c tftpd -l mtu-fit -d 'Never grant a block size that would be fragmented on the route to the client'
complete -c tftpd -l no-sandbox -d 'Do not confine the process to the folders that it needs (Landlock)'
complete -c tftpd -s v -l verbose -d 'Say more; twice: every packet'
complete -c tftpd -s q -l quiet -d 'Say only what goes wrong'
complete -c tftpd -l check -d 'Read everything, bind nothing, and say what would run'
complete -c tftpd -l background -d 'Detach once the sockets are bound; the exit status tells whether that worked'
complete -c tftpd -l detached -d 'We are the process that --background has started'
complete -c tftpd -s h -l help -d 'Print help'
complete -c tftpd -s V -l version -d 'Print version'

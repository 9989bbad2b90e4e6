complete -c tftp -s c -d 'Carry out one command and leave; everything that follows belongs to it' -r
complete -c tftp -s m -l mode -d 'Transfer mode: octet (binary), netascii (ascii), or mail for put' -r
complete -c tftp -s b -l blksize -d 'Bytes in a block to ask for' -r
complete -c tftp -s w -l windowsize -d 'Blocks in a window to ask for' -r
complete -c tftp -s t -l timeout -d 'Retransmission time-out to ask for [default: measured]' -r
complete -c tftp -s r -l retries -d 'How often to send again before a transfer that has begun is given up' -r
complete -c tftp -s R -l port-range -d 'Local ports to use [default: any]' -r
complete -c tftp -l pcap -d 'Keep what is sent and received in a capture file' -r -F
complete -c tftp -l no-options -d 'Ask for no options: plain RFC 1350'
complete -c tftp -s 4 -d 'Use IPv4 only'
complete -c tftp -s 6 -d 'Use IPv6 only'
complete -c tftp -l json -d 'Print one JSON object for each transfer; tftp(1) has its fields'
complete -c tftp -l keep-going -d 'In piped commands, go on after a failure'
complete -c tftp -s q -l quiet -d 'Say nothing but answers and errors'
complete -c tftp -s v -l verbose -d 'Say more'
complete -c tftp -l no-progress -d 'Show no progress bar'
complete -c tftp -s h -l help -d 'Print help'
complete -c tftp -s V -l version -d 'Print version'

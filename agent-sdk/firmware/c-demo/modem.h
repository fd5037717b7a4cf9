/* A modem at the serial port that has the network: a maker's Wi-Fi or cellular module, here with as few words as possible.
 *
 * Frames are a kind, a count, and as many bytes.
 *
 *   to the modem:   'O' open a connection to the hub   'C' close it   'D' bytes of it
 *   from the modem: 'U' it is open   'L' there is none, or none any more   'D' bytes of it
 */

#ifndef MODEM_H
#define MODEM_H

#include <stddef.h>
#include <stdint.h>

typedef enum { MODEM_DOWN, MODEM_WAITING, MODEM_UP } modem_link;

/* Ends what an earlier run of the program has left behind, and waits until the modem is silent. To be called first. */
void modem_start(void);

/* Takes in what the modem says, as far as there is room for bytes of the connection; gives how the connection is. It waits
 * for the modem's word after it was opened or closed. */
modem_link modem_poll(void);

void modem_open(void);
void modem_close(void);

/* Bytes of the connection that were received and are not consumed yet. */
const uint8_t *modem_received(size_t *len);
void modem_consume(size_t len);

/* Writes bytes of the connection. */
void modem_send(const uint8_t *bytes, size_t len);

#endif

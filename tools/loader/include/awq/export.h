/* AWQ_API marks what a shared library shows; everything else in it is hidden. */
#ifndef AWQ_EXPORT_H
#define AWQ_EXPORT_H

#define AWQ_API __attribute__((visibility("default")))

#endif

//! Who the box is: its keys and certificates, and the boxes that it knows. Who asks it for something, and what they may, is
//! `access`'s.
#![forbid(unsafe_code)]

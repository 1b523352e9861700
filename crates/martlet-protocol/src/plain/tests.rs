//! What a plain reader asks and sees.

pub use datafusion as df;
pub use deltalake_core as delta;

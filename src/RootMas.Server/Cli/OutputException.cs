namespace RootMas.Server.Cli;

/// <summary>What a command has to say cannot be written to the standard output: the disk is full, say. A pipe that nobody reads any more is none.</summary>
internal sealed class OutputException(IOException cause) : Exception($"The output could not be written ({cause.Message.TrimEnd('.')}).", cause);

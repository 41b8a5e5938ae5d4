namespace Kvorum.Cli.Client;

/// <summary>A value from the command line, or from stdin when it is written as '-'.</summary>
internal static class ValueInput
{
    /// <summary>What a node accepts at most.</summary>
    private const int BytesMax = 1536 * 1024;

    public static async Task<byte[]> ReadAsync(string value, CancellationToken cancel)
    {
        if (value != "-")
        {
            return System.Text.Encoding.UTF8.GetBytes(value);
        }

        using var input = Console.OpenStandardInput();
        using var whole = new MemoryStream();
        var block = new byte[64 * 1024];
        for (var count = 1; count > 0 && whole.Length <= BytesMax;)
        {
            count = await input.ReadAsync(block, cancel).ConfigureAwait(false);
            whole.Write(block, 0, count);
        }

        return whole.Length <= BytesMax
            ? whole.ToArray()
            : throw new UsageException($"The value on stdin is too large: expected at most {BytesMax} bytes.");
    }
}

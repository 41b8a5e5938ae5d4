using System.Text;

namespace Kvorum.Raft;

/// <summary>Text on the wire: UTF-8, and nothing that is not.</summary>
internal static class WireText
{
    private static readonly UTF8Encoding _strict =
        new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    public static int Bytes(string text) => Encoding.UTF8.GetByteCount(text);

    public static int Write(string text, Span<byte> output) => Encoding.UTF8.GetBytes(text, output);

    /// <returns>Null when the bytes are no UTF-8.</returns>
    public static string? Read(ReadOnlySpan<byte> input)
    {
        try
        {
            return _strict.GetString(input);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }
}
